"""What is not a stage: estimates, pictures, features for other programs.

Makes no result that a stage reads.
"""
