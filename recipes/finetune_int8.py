"""`distilpose finetune-int8`: quantization-aware distillation."""

from distilpose_keras.commands.main import script

if __name__ == "__main__":
    script("finetune_int8")
