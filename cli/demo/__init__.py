"""`troth demo`: the main job on real parts, killed and resumed, and then proved."""
