import numpy as np
import pytest
from composed_faces import compose

from likeness.faces.tracker import Tracker, TrackerSettings, is_cut, track_faces
from likeness.media.clip import Frame, open_clip

RATE = 25.0


def frames_of(pictures) -> list[Frame]:
    return [Frame(picture, index / RATE, index) for index, picture in enumerate(pictures)]


def middle(face) -> float:
    return float(face.landmarks[:, 0].mean())


def test_one_actor_is_one_track_through_the_clip(shipped, finder):
    clip = open_clip(shipped.heldout.path)
    tracks = track_faces(clip, finder=finder)
    assert len(tracks) == 1
    frames = [face.frame for face in tracks[0].faces]
    assert frames == sorted(set(frames))
    assert len(frames) >= 0.99 * sum(1 for _ in clip.frames())
    times = [face.time_s for face in tracks[0].faces]
    assert tracks[0].span_s == (times[0], times[-1])


def test_two_people_who_stand_still_keep_their_ids(head_a, head_b, finder):
    rng = np.random.default_rng(0)
    sway = np.cumsum(rng.normal(0, 1.0, (40, 2, 2)), axis=0)
    pictures = [compose([(head_a, (180 + a[0], 180 + a[1])), (head_b, (460 + b[0], 180 + b[1]))]) for a, b in sway]
    tracks = track_faces(frames_of(pictures), finder=finder)
    assert len(tracks) == 2
    assert [len(track.faces) for track in tracks] == [40, 40]
    assert all(abs(middle(face) - middle(track.faces[0])) < 60 for track in tracks for face in track.faces)


def test_faces_that_cross_do_not_swap_their_ids(head_a, head_b, finder):
    """A walks right behind B, who walks left; for some frames A is hidden."""
    paths = np.linspace(120, 520, 60)
    pictures = [compose([(head_a, (x, 180)), (head_b, (640 - x, 185))]) for x in paths]
    tracks = track_faces(frames_of(pictures), finder=finder)
    by_start = {track.id: track for track in tracks if track.faces[0].frame == 0}
    a, b = sorted(by_start.values(), key=lambda track: middle(track.faces[0]))
    assert middle(a.faces[-1]) > 400
    assert middle(b.faces[-1]) < 240
    assert a.faces[-1].frame == b.faces[-1].frame == 59
    assert len(b.faces) >= 55


def test_a_newcomer_is_noticed_within_a_second(head_a, head_b, finder):
    heads = [(head_a, (180.0, 180.0)), (head_b, (460.0, 180.0))]
    pictures = [compose(heads[: 1 if index < 10 else 2]) for index in range(40)]
    tracks = track_faces(frames_of(pictures), finder=finder)
    assert len(tracks) == 2
    assert 10 <= tracks[1].faces[0].frame <= 10 + RATE


def test_a_hidden_face_is_lost_and_comes_back_as_itself(head_a, finder):
    pictures = [compose([] if 10 <= index < 20 else [(head_a, (300.0, 180.0))]) for index in range(40)]
    tracks = track_faces(frames_of(pictures), finder=finder)
    assert len(tracks) == 1
    frames = {face.frame for face in tracks[0].faces}
    assert not frames & set(range(10, 20))
    assert frames >= {*range(10), *range(26, 40)}


def test_a_cut_starts_new_tracks(frames_a, frames_b, finder):
    a, b = [frame.image for frame in frames_a[:8]], [frame.image for frame in frames_b[:8]]
    tracks = track_faces(frames_of(a + b + a), finder=finder)
    assert [[face.frame for face in track.faces] for track in tracks] == [
        list(range(8)),
        list(range(8, 16)),
        list(range(16, 24)),
    ]


def test_nobody(finder):
    assert track_faces(frames_of([np.zeros((90, 120, 3), np.uint8)] * 3), finder=finder) == []


def test_streaming_and_the_whole_clip_agree(frames_a, finder):
    tracker = Tracker(finder=finder, first_id=5)
    streamed = [tracker.update(frame) for frame in frames_a[:6]]
    whole = track_faces(frames_a[:6], finder=finder)[0]
    for found, face in zip(streamed, whole.faces, strict=True):
        assert [identity for identity, _ in found] == [5]
        np.testing.assert_array_equal(found[0][1].landmarks, face.landmarks)


def test_cuts_are_neither_flashes_nor_motion():
    rng = np.random.default_rng(0)
    scene, other = (np.repeat(np.repeat(rng.random((6, 8)), 3, 0), 4, 1).astype(np.float32) for _ in range(2))
    limit = TrackerSettings().cut
    assert is_cut(scene, other, limit)
    assert not is_cut(scene, np.clip(scene * 0.5 + 0.5, 0, 1), limit)
    assert not is_cut(scene, scene, limit)
    assert not is_cut(np.zeros_like(scene), np.full_like(scene, 0.01), limit)


def test_times_rule_the_search_not_frame_counts(head_a, head_b, finder):
    """With variable frame rate the second between two searches is a second of the clip."""
    picture = compose([(head_a, (180.0, 180.0)), (head_b, (460.0, 180.0))])
    alone = compose([(head_a, (180.0, 180.0))])
    tracker = Tracker(finder=finder)
    tracker.update(Frame(alone, 0.0, 0))
    assert len(tracker.update(Frame(picture, 0.4, 1))) == 1
    assert len(tracker.update(Frame(picture, 1.0, 2))) == 2


@pytest.mark.slow
def test_real_people_are_one_track_each(data, finder):
    for path in sorted((data / "talking_heads").glob("s1_*.mpg"))[:5]:
        tracks = track_faces(open_clip(path), finder=finder)
        assert len(tracks) == 1
        assert len(tracks[0].faces) >= 74
