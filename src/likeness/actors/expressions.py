"""The names of the 57 expressions, so that a performance can be written without the face model at hand."""

_ONE_OR_TWO_SIDED = """
    PupilDilate/ browDown/ browInnerUp/ browOuterUp/ cheekPuff/ cheekRaiser/ cheekSquint/ eyeBlink/ eyeLookDown/
    eyeLookIn/ eyeLookOut/ eyeLookUp/ eyeSquint/ eyeWide/ jawForward jawLeft jawOpen jawRight mouthClose
    mouthDimple/ mouthFrown/ mouthFunnel mouthLeft mouthLowerDown/ mouthPress/ mouthPucker mouthRight
    mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmile/ mouthStretch/ mouthUpperUp/ noseSneer/
""".split()  # noqa: SIM905 — a list of 35 quoted strings would hide the order

EXPRESSION_NAMES: tuple[str, ...] = tuple(
    side_name
    for name in _ONE_OR_TWO_SIDED
    for side_name in ((name[:-1] + "_L", name[:-1] + "_R") if name.endswith("/") else (name,))
)
"""In the face model's order (ICT-FaceKit, after Apple's ARKit blend shapes): ``_L`` is the subject's own left."""
