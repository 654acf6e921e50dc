"""What a trial's evidence advises: which knob of somebody's server moves N, C or ART, and the line to change."""
