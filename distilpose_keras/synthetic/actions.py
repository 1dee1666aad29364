"""What the synthetic people do: poses drawn within the joint limits."""

import numpy as np

from distilpose_keras.synthetic.chance import choose
from distilpose_keras.synthetic.pose import SIDES, Pose, turn
from distilpose_keras.synthetic.skeleton import BONE, JOINT_LIMITS

# Arms: ranges in degrees of shoulder flexion, abduction, internal rotation, elbow.
_ARM_STYLES = {
    "relaxed": ((-12, 15), (5, 16), (-5, 35), (5, 35)),
    "on hip": ((-30, -12), (38, 50), (50, 75), (85, 105)),
    "at face": ((30, 60), (5, 30), (5, 40), (122, 140)),
    "in front": ((10, 45), (0, 18), (15, 50), (60, 110)),
    "holding out": ((35, 70), (-5, 20), (-10, 30), (20, 80)),
    "waving": ((0, 25), (75, 110), (-90, -60), (50, 110)),
    "raised": ((135, 172), (0, 25), (-20, 25), (0, 45)),
    "raised aside": ((-10, 25), (105, 155), (-80, -20), (0, 60)),
    "pointing": ((65, 100), (-12, 35), (-20, 30), (0, 25)),
    "spread": ((-10, 25), (65, 95), (-40, 20), (0, 40)),
    "behind head": ((-5, 10), (100, 130), (-90, -65), (115, 138)),
    "swung back": ((-45, -20), (5, 20), (-5, 20), (10, 45)),
}
_EVERYDAY = ("relaxed", "on hip", "at face", "in front", "holding out", "pointing")
_EVERYDAY_ODDS = (0.44, 0.12, 0.12, 0.16, 0.10, 0.06)
_REACHING = ("raised", "raised aside", "waving", "pointing", "spread", "behind head")


def _style_arm(rng, pose, side, style):
    low, high = np.array(_ARM_STYLES[style], float).T
    flexion, abduction, rotation, elbow = rng.uniform(low, high)
    pose.arm(side, (flexion, abduction, rotation), elbow, rng.uniform(-40, 60))


def _everyday_arms(rng, pose):
    styles = [choose(rng, _EVERYDAY, _EVERYDAY_ODDS) for _ in SIDES]
    if rng.random() < 0.4:
        styles[1] = styles[0]
    for side, style in zip(SIDES, styles, strict=True):
        _style_arm(rng, pose, side, style)


def _stand(rng):
    pose = Pose("standing")
    weight = rng.permutation(SIDES)
    pose.leg(weight[0], hip=rng.uniform(-3, 5), knee=rng.uniform(0, 6))
    bend = rng.uniform(0, 1) ** 2 * 40
    pose.leg(
        weight[1],
        hip=0.55 * bend + rng.uniform(-6, 8),
        knee=bend,
        abduction=rng.uniform(0, 18),
        rotation=rng.uniform(-25, 5),
    )
    pose.set("spine", rng.uniform(-4, 10), rng.normal(0, 4), rng.normal(0, 6))
    _everyday_arms(rng, pose)
    return pose


def _walk(rng):
    pose = Pose("walking")
    front, back = rng.permutation(SIDES)
    stride = rng.uniform(0.5, 1.2)
    pose.leg(front, hip=26 * stride, knee=rng.uniform(2, 18), abduction=2, ankle=2)
    pose.leg(
        back,
        hip=-16 * stride,
        knee=rng.uniform(8, 60) * stride,
        abduction=2,
        ankle=rng.uniform(-22, 5),
    )
    pose.set("spine", rng.uniform(0, 8), 0, rng.normal(0, 8))
    elbow = rng.uniform(8, 45)
    pose.arm(back, (24 * stride, 8, 15), elbow, 20)
    pose.arm(front, (-22 * stride, 8, 5), elbow * 0.7, 20)
    if rng.random() < 0.35:
        _style_arm(rng, pose, rng.choice(SIDES), rng.choice(_EVERYDAY))
    return pose


def _run(rng):
    pose = Pose("running", root=turn(pitch=rng.uniform(2, 18)))
    front, back = rng.permutation(SIDES)
    pose.leg(front, hip=rng.uniform(35, 85), knee=rng.uniform(30, 100), abduction=2)
    pose.leg(back, hip=rng.uniform(-20, 8), knee=rng.uniform(10, 110), ankle=-20)
    elbow = rng.uniform(65, 110)
    pose.arm(back, (rng.uniform(15, 60), 8, 20), elbow)
    pose.arm(front, (rng.uniform(-50, -15), 14, 10), elbow)
    pose.set("chest", rng.uniform(0, 10), 0, rng.normal(0, 10))
    return pose


def _reach(rng):
    pose = _stand(rng)
    pose.action = "reaching"
    styles = rng.choice(_REACHING, 2)
    if rng.random() < 0.45:
        styles[1] = styles[0]
    both = rng.random() < 0.65
    for side, style in zip(rng.permutation(SIDES)[: 1 + both], styles, strict=False):
        _style_arm(rng, pose, side, style)
    return pose


def _sit(rng):
    recline = rng.uniform(-18, 14)
    pose = Pose("sitting", root=turn(pitch=recline), seat=0.052)
    crossed = rng.random() < 0.15
    spread = rng.uniform(2, 24)
    for side in SIDES:
        hip = 88 + recline + rng.uniform(-6, 8)
        knee = rng.uniform(60, 105)
        pose.leg(side, hip=hip, knee=knee, abduction=spread, ankle=rng.uniform(-10, 12))
    if crossed:
        pose.leg(rng.choice(SIDES), hip=112, knee=82, abduction=-16, ankle=-8)
    _seated_upper(rng, pose)
    return pose


def _seated_upper(rng, pose):
    slouch = rng.uniform(-4, 32)
    pose.set("spine", slouch, rng.normal(0, 3), rng.normal(0, 5))
    pose.set("chest", slouch * 0.4, 0, rng.normal(0, 6))
    if rng.random() < 0.5:
        for side in SIDES:  # hands on the thighs or at a table
            flexion, elbow = rng.uniform((12, 35), (50, 85))
            pose.arm(side, (flexion, rng.uniform(2, 22), 15), elbow, 50)
    else:
        _everyday_arms(rng, pose)


def _sit_on_floor(rng):
    recline = rng.uniform(-25, 5)
    pose = Pose("sitting", root=turn(pitch=recline))
    if rng.random() < 0.5:  # legs stretched out or knees drawn up
        for side in SIDES:
            knee = rng.uniform(5, 95)
            hip = np.clip(86 + recline + knee * 0.45, 60, 120)
            pose.leg(side, hip=hip, knee=knee, abduction=rng.uniform(2, 16), ankle=0)
    else:  # tailor seat
        for side in SIDES:
            pose.leg(side, hip=95, knee=125, abduction=48, rotation=-40, ankle=-20)
    _seated_upper(rng, pose)
    return pose


def _crouch(rng):
    lean = rng.uniform(5, 30)
    pose = Pose("crouching", root=turn(pitch=lean))
    knee, spread = rng.uniform(85, 138), rng.uniform(5, 28)
    for side in SIDES:
        hip = np.clip(knee * 0.72 + lean + rng.uniform(0, 12), 40, 120)
        pose.leg(
            side, hip=hip, knee=knee, abduction=spread, rotation=-18, ankle=knee / 6
        )
    pose.set("spine", rng.uniform(5, 35), 0, rng.normal(0, 6))
    styles = rng.choice(("in front", "holding out", "at face", "relaxed"), 2)
    for side, style in zip(SIDES, styles, strict=True):
        _style_arm(rng, pose, side, style)
    return pose


def _kneel(rng):
    pose = Pose("crouching", root=turn(pitch=rng.uniform(0, 15)))
    down, up = rng.permutation(SIDES)
    pose.leg(down, hip=rng.uniform(-5, 15), knee=rng.uniform(85, 110), ankle=-40)
    if rng.random() < 0.6:
        pose.leg(up, hip=rng.uniform(80, 100), knee=rng.uniform(80, 100))
    else:
        pose.leg(up, hip=rng.uniform(-5, 15), knee=rng.uniform(85, 110), ankle=-40)
    pose.set("spine", rng.uniform(0, 25), 0, rng.normal(0, 6))
    _everyday_arms(rng, pose)
    return pose


def _bend(rng):
    lean = rng.uniform(20, 65)
    pose = Pose("bending", root=turn(pitch=lean))
    for side in SIDES:
        knee = rng.uniform(0, 45)
        pose.leg(
            side,
            hip=lean + knee * 0.6,
            knee=knee,
            abduction=rng.uniform(2, 15),
            ankle=0,
        )
        pose.arm(
            side, (rng.uniform(40, 95), rng.uniform(0, 20), 10), rng.uniform(0, 60)
        )
    pose.set("spine", rng.uniform(5, 35))
    pose.set("chest", rng.uniform(0, 20))
    return pose


def _lunge(rng):
    pose = Pose("lunging", root=turn(pitch=rng.uniform(-5, 20)))
    front, back = rng.permutation(SIDES)
    knee = rng.uniform(35, 95)
    pose.leg(front, hip=knee * rng.uniform(0.75, 1.05), knee=knee, abduction=10)
    pose.leg(back, hip=rng.uniform(-20, -5), knee=rng.uniform(5, 45), ankle=10)
    pose.set("spine", rng.uniform(0, 20), rng.normal(0, 6), rng.normal(0, 12))
    for side in SIDES:
        _style_arm(rng, pose, side, rng.choice(tuple(_ARM_STYLES)))
    return pose


def _lie(rng):
    spin = choose(rng, (0, 180, 90, -90), (0.5, 0.2, 0.15, 0.15))
    pose = Pose("lying", root=turn(pitch=-90) @ turn(spin=spin + rng.normal(0, 6)))
    prone = spin == 180
    for side in SIDES:
        knee = rng.uniform(0, 25) if prone else rng.uniform(0, 1) ** 2 * 110
        hip = rng.uniform(-5, 5) if prone else knee * 0.55
        pose.leg(side, hip=hip, knee=knee, abduction=rng.uniform(0, 22), ankle=-30)
        style = rng.choice(("relaxed", "raised aside", "behind head", "spread"))
        _style_arm(rng, pose, side, style)
    pose.set("spine", rng.normal(0, 4), rng.normal(0, 7), rng.normal(0, 7))
    return pose


_SAMPLERS = {
    "stand": _stand,
    "walk": _walk,
    "run": _run,
    "reach": _reach,
    "sit": _sit,
    "sit_on_floor": _sit_on_floor,
    "crouch": _crouch,
    "kneel": _kneel,
    "bend": _bend,
    "lunge": _lunge,
    "lie": _lie,
}
ACTIONS = tuple(_SAMPLERS)


def _look(rng, pose):
    """Turn and tilt the head, shared between neck and skull."""
    yaw = rng.normal(0, 28)
    nod = rng.normal(6, 12)
    tilt = rng.normal(0, 6)
    pose.set("neck", nod * 0.6, tilt * 0.6, yaw * 0.45)
    pose.set("head", nod * 0.4, tilt * 0.4, yaw * 0.55)


def _lift_clavicles(pose):
    """Raise the shoulder girdle with the arm (scapulohumeral rhythm)."""
    for side in SIDES:
        flexion, abduction, _ = pose.angles[BONE[f"{side}_upper_arm"]]
        lift = 0.25 * (max(flexion, abduction) - 50)
        pose.set(f"{side}_clavicle", 0, np.clip(lift, 0, 28))


def sample_pose(rng, action_odds):
    """Draw an action and a pose of it within `skeleton.JOINT_LIMITS`.

    Args:
        rng: numpy random generator.
        action_odds: dict of names in `ACTIONS` to probabilities.

    Returns:
        A `Pose`; the person looks along +z of the body apart from lying down.
    """
    pose = _SAMPLERS[choose(rng, tuple(action_odds), action_odds.values())](rng)
    _look(rng, pose)
    for side in SIDES:
        pose.set(f"{side}_hand", rng.normal(0, 8), rng.normal(10, 20))
    pose.angles += rng.normal(0, 3, pose.angles.shape)
    _lift_clavicles(pose)
    pose.angles = np.clip(pose.angles, JOINT_LIMITS[..., 0], JOINT_LIMITS[..., 1])
    return pose
