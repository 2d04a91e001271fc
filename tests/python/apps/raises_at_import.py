raise RuntimeError("settings are\nnot configured")
