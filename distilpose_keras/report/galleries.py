"""The galleries of a training's report: what its models see."""

from distilpose_keras.detection import PersonFinder
from distilpose_keras.predictor import PosePredictor
from distilpose_keras.report.page import Gallery
from distilpose_keras.report.panels import (
    choose_people,
    confidence_panels,
    heatmap_panels,
    prediction_panels,
)
from distilpose_keras.report.photographs import photograph_panels

SHOWN = 6  # people or images in each gallery


def galleries_of(models, people):
    """Pictures of what the models predict for the same few people."""
    shown = choose_people(people, SHOWN)
    galleries = [
        Gallery(
            "Predictions",
            "Ground truth beside what each model predicts in the annotated boxes.",
            prediction_panels(
                people,
                {name: PosePredictor(model) for name, model in models.items()},
                shown,
            ),
        )
    ]
    if "student" in models:
        student, teacher = models["student"], models["teacher"]
        galleries += [
            Gallery(
                "Heatmaps and simulated heatmaps",
                "What the teacher sees, and the Gaussians that the student's keypoints "
                "and sigmas stand for (Figure 5 of the paper).",
                heatmap_panels(people, student, teacher, shown),
            ),
            Gallery(
                "Confidence",
                "Keypoints colored by their predicted score (Figure 6 of the paper).",
                confidence_panels(people, PosePredictor(student), shown),
            ),
        ]
    return galleries


def photographs_of(models, photos):
    """What teacher and student see in pictures that the user has given."""
    if not photos:
        return []
    shown = {n: PosePredictor(m) for n, m in models.items() if n != "baseline"}
    return [
        Gallery(
            "Photographs",
            "Pictures of --photos, in the boxes of the package's person finder.",
            photograph_panels(photos, shown, PersonFinder()),
        )
    ]
