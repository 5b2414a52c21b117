"""Model packs: what they are made of, how they arrive, how they are loaded. `openvino` appears only here."""
