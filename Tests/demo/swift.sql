-- Two more tables of packages, for the library and for the command.
CREATE TABLE package_by_library (LIKE package INCLUDING ALL EXCLUDING IDENTITY);
ALTER TABLE package_by_library DROP id, DROP IF EXISTS removed_at;
CREATE TABLE package_by_command (LIKE package_by_library INCLUDING ALL);
