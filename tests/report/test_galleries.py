"""Which galleries a report has."""

from distilpose_keras.report import galleries


def test_photographs_show_teacher_and_student(monkeypatch):
    asked = []
    monkeypatch.setattr(galleries, "PosePredictor", lambda model: model)
    monkeypatch.setattr(
        galleries, "photograph_panels", lambda *a: asked.append(a[:2]) or []
    )
    models = {"teacher": 1, "baseline": 2, "student": 3}
    (gallery,) = galleries.photographs_of(models, ["a.jpg"])
    assert gallery.title == "Photographs"
    assert asked == [(["a.jpg"], {"teacher": 1, "student": 3})]
    assert galleries.photographs_of(models, []) == []
