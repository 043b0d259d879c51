//! HCL or JSON text becomes a typed Config, parsed once.
