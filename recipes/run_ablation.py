"""`distilpose ablation`: the paper's ablation tables, in small."""

from distilpose_keras.commands.main import script

if __name__ == "__main__":
    script("ablation")
