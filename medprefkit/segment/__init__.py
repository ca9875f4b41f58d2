"""Regions of boxes by a model that was trained to segment what a box holds. Imported only where a recipe names one."""
