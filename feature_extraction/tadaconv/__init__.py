"""TAdaConv and the temporal aggregation (Huang et al., ICLR 2022), for any network.

Knows none of the networks here, and nothing of the package outside this room.
"""

from feature_extraction.tadaconv.generation import CalibrationWeights
from feature_extraction.tadaconv.insertion import insert_tadaconv
from feature_extraction.tadaconv.modules import TAdaConv1d, TAdaConv2d, TAdaConv3d
from feature_extraction.tadaconv.operation import tadaconv1d, tadaconv2d, tadaconv3d

__all__ = [
    "CalibrationWeights",
    "TAdaConv1d",
    "TAdaConv2d",
    "TAdaConv3d",
    "insert_tadaconv",
    "tadaconv1d",
    "tadaconv2d",
    "tadaconv3d",
]
