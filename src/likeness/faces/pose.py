"""Head pose from 68 landmarks: the rotation of a mean face that, seen from afar, explains them best."""

import numpy as np

from likeness.faces.align import TEMPLATE
from likeness.faces.face import LEFT_EYE, NOSE_BASE, NOSE_BRIDGE, RIGHT_EYE

# fmt: off
DEPTH = np.array([
    0.304, 0.344, 0.354, 0.313, 0.250, 0.181, 0.075, -0.012, -0.025, -0.012, 0.075, 0.181,
    0.250, 0.313, 0.354, 0.344, 0.304, -0.051, -0.113, -0.161, -0.203, -0.223, -0.223, -0.203,
    -0.161, -0.113, -0.051, -0.209, -0.269, -0.341, -0.354, -0.198, -0.210, -0.222, -0.210, -0.198,
    -0.047, -0.096, -0.108, -0.084, -0.097, -0.085, -0.084, -0.108, -0.096, -0.047, -0.085, -0.097,
    -0.033, -0.164, -0.195, -0.199, -0.195, -0.164, -0.033, -0.114, -0.141, -0.146, -0.141, -0.114,
    -0.045, -0.153, -0.161, -0.153, -0.045, -0.129, -0.137, -0.129,
])
# fmt: on
"""Depth of TEMPLATE's landmarks, float64 (68,), in its unit, growing away from the camera: the same portraits' mean."""

# Points that talking, smiling and raised brows hardly move, and the sides of the jaw, which carry the depth.
_STEADY = np.array(
    [0, 1, 2, 14, 15, 16]
    + [index for part in (NOSE_BRIDGE, NOSE_BASE, RIGHT_EYE, LEFT_EYE) for index in range(part.start, part.stop)]
)

_SHAPE = np.column_stack([TEMPLATE, DEPTH])[_STEADY].astype(np.float64)
_SOLVER = np.linalg.pinv(_SHAPE - _SHAPE.mean(0))  # of the least squares below, (3, n)


def pose_of(landmarks: np.ndarray) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees of a face with ``landmarks`` (68, 2) in pixels.

    Yaw > 0 turns to the image's right, pitch > 0 looks up, roll > 0 leans clockwise in the image. The camera is a
    scaled orthographic one, x = s R₁₂ X + t, fitted by least squares; rows 1 and 2 of R are then made orthonormal.
    """
    points = np.asarray(landmarks, np.float64)[_STEADY]
    camera = _SOLVER @ (points - points.mean(0))
    left, _, right = np.linalg.svd(camera.T, full_matrices=False)
    rows = left @ right
    rotation = np.vstack([rows, np.cross(rows[0], rows[1])])
    # The face looks along -z of its own frame; x is right, y is down and z is away from the camera.
    gaze = -rotation[:, 2]
    yaw = np.arctan2(gaze[0], -gaze[2])
    pitch = np.arcsin(np.clip(-gaze[1], -1.0, 1.0))
    # What is left of the rotation after yaw and pitch are undone turns in the image plane.
    upright_x = np.array([np.cos(yaw), 0.0, np.sin(yaw)])
    upright_y = np.cross(rotation[:, 2], upright_x)
    roll = np.arctan2(rotation[:, 0] @ upright_y, rotation[:, 0] @ upright_x)
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))
