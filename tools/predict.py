"""`distilpose predict`: keypoints of people in images, videos or from a camera."""

from distilpose_keras.commands.main import script

if __name__ == "__main__":
    script("predict")
