"""What the scripts in `recipes/` run: settings of a run and its stages."""
