"""One module for each DVC stage: read params and inputs, call the library, write the declared outputs."""
