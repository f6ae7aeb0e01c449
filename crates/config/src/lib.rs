//! Configuration: one YAML file, environment for secrets, errors that name file, key and allowed values.
