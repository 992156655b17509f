"""The pictures of each stage, drawn without a screen."""
