"""The annotations beside shards name pictures as the shards do, and whom to ignore."""

from pycocotools.coco import COCO

from distilpose_keras.data.shards.truth import truth_of


def test_pycocotools_reads_it(crowded, capsys):
    document = truth_of(crowded)
    truth = COCO()
    truth.dataset = document
    truth.createIndex()
    files = {image: entry["file_name"] for image, entry in truth.imgs.items()}
    # Pictures 2 and 5 have nobody, or a crowd alone: they are not packed.
    assert files == {1: "000000000.jpg", 3: "000000001.jpg", 4: "000000002.jpg"}
    assert {(i["height"], i["width"]) for i in truth.imgs.values()} == {(60, 80)}
    assert len(truth.getAnnIds(iscrowd=True)) == 1
    labelled = [a["num_keypoints"] for a in truth.loadAnns(truth.getAnnIds(imgIds=3))]
    assert sorted(labelled) == [0, 17, 17]
    (category,) = truth.dataset["categories"]
    assert category["keypoints"] == list(crowded.schema.names)
    assert [16, 14] in category["skeleton"]  # ankle and knee, as in COCO's own file
