"""Looking back: the days shown, their curves, bars and figures."""
