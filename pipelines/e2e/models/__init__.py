"""Networks from log-mel frames to CTC posteriors, one file per architecture."""
