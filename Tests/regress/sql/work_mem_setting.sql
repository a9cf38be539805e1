-- The setting bulk_sync.work_mem: what it is, what it accepts, who may set it, and that no other name begins like it.
-- What it does to a call is in memory_batches. (README: -1 means maintenance_work_mem.)
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
-- the first call of a session loads the library, and with it the setting
SELECT bulk_sync_version() <> '' AS loaded;
CREATE TABLE work_mem_setting (k int PRIMARY KEY);
CREATE TABLE work_mem_setting_staged AS SELECT 1 AS k;
SELECT * FROM bulk_sync('work_mem_setting', 'work_mem_setting_staged', scope => 'true');
RESET client_min_messages;

SHOW bulk_sync.work_mem;
SELECT setting, unit, vartype, context, min_val, boot_val, short_desc <> '' AS described
  FROM pg_settings WHERE name = 'bulk_sync.work_mem';
SELECT name FROM pg_settings WHERE name LIKE 'bulk\_sync.%';

-- With units, as any setting of memory; kept for the session, or the transaction, or a function.
SET bulk_sync.work_mem = '64MB';
SHOW bulk_sync.work_mem;
BEGIN;
SET LOCAL bulk_sync.work_mem = 100;
SHOW bulk_sync.work_mem;
SELECT unchanged FROM bulk_sync('work_mem_setting', 'work_mem_setting_staged', scope => 'true');
ROLLBACK;
SHOW bulk_sync.work_mem;
SET bulk_sync.work_mem = -1;
SHOW bulk_sync.work_mem;
-- less than a match can do with is no error: it takes what it needs
SET bulk_sync.work_mem = 0;
SELECT unchanged FROM bulk_sync('work_mem_setting', 'work_mem_setting_staged', scope => 'true');
RESET bulk_sync.work_mem;

-- What is no memory.
\set VERBOSITY sqlstate
SET bulk_sync.work_mem = -2;
SET bulk_sync.work_mem = '-64MB';
SET bulk_sync.work_mem = 'much';
SET bulk_sync.work_mem = '';
SET bulk_sync.work_mem = '1 minute';
SET bulk_sync.work_mem = '9000000TB';
SELECT set_config('bulk_sync.work_mem', 'none', false);
-- Another name that begins like it is a mistake, and would be one that nobody notices.
SET bulk_sync.nonsense = 1;
SET bulk_sync.workmem = '64MB';
SELECT set_config('bulk_sync.nonsense', '1', false);
SHOW bulk_sync.nonsense;
\set VERBOSITY default
SHOW bulk_sync.work_mem;

-- Whoever may call may set it.
SET client_min_messages = warning;
CREATE ROLE regress_bulk_sync_setting;
RESET client_min_messages;
SET ROLE regress_bulk_sync_setting;
SET bulk_sync.work_mem = '1MB';
SHOW bulk_sync.work_mem;
RESET ROLE;
RESET bulk_sync.work_mem;

DROP ROLE regress_bulk_sync_setting;
DROP TABLE work_mem_setting, work_mem_setting_staged;
