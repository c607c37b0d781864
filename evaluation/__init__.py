"""Tables of segments to numbers: mAP, AR@AN, classification and fusion."""
