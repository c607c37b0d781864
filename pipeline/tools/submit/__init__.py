"""`tada-loc submit`: the stages of a run that have work to do, as jobs of Slurm or of this machine, through submitit.

It knows which commands there are and what each asks of a machine; what a stage does it must not know.
"""
