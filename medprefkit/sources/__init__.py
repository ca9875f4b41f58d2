"""IN: tables, known datasets and folders become `Example`s. Knows nothing of claims or edits."""
