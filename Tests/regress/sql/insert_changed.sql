-- bulk_insert_changed: a history to which rows are only appended, and only where something changed. The everyday price
-- history, its counts, the second call, several prices of one article in one call, an article that comes back.
-- Contract 5, 1.0.1 (default of the last argument), 1.1.4
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA insert_changed;
SET search_path = insert_changed, public;

CREATE TABLE price_history (article text, valid_from date, price numeric(10,2), currency text);
CREATE TEMPORARY TABLE price (article text, valid_from date, price numeric, currency text);
CREATE TEMPORARY TABLE before (at tid, by xid, article text, valid_from date);
\set remember 'TRUNCATE before; INSERT INTO before SELECT ctid, xmin, article, valid_from FROM price_history;'
-- Rows are appended: every row that was there is the version that it was.
\set untouched 'SELECT count(*) AS kept, coalesce(bool_and(h.ctid = at AND h.xmin = by), true) AS untouched FROM price_history h JOIN before USING (article, valid_from);'

-- The first call: nothing is known, every article is new.
INSERT INTO price VALUES ('apple', '2024-01-01', 1.20, 'EUR'), ('bread', '2024-01-01', 2.50, 'EUR'), ('cheese', '2024-01-01', NULL, 'EUR');
SELECT * FROM bulk_insert_changed('price_history', 'price', '{article}', 'valid_from');
SELECT * FROM price_history ORDER BY article, valid_from;

-- The same again: nothing changed, nothing is written.
:remember
SELECT * FROM bulk_insert_changed('price_history', 'price', '{article}', 'valid_from');
:untouched
-- The day alone is no change.
UPDATE price SET valid_from = '2024-01-02';
SELECT * FROM bulk_insert_changed('price_history', 'price', '{article}', 'valid_from');

-- The next day: one price is other, one is known for the first time, one article is new, one is not mentioned at all and stays.
TRUNCATE price;
INSERT INTO price VALUES ('apple', '2024-01-03', 1.30, 'EUR'), ('cheese', '2024-01-03', 9.9, 'EUR'), ('dates', '2024-01-03', 4, 'EUR');
:remember
SELECT * FROM bulk_insert_changed('price_history', 'price', '{article}', 'valid_from');
SELECT * FROM price_history ORDER BY article, valid_from;
:untouched

-- A price that goes back to an older one is a change: only the newest row counts, not any row.
TRUNCATE price;
INSERT INTO price VALUES ('apple', '2024-01-04', 1.20, 'EUR'), ('bread', '2024-01-04', 2.5, 'USD'), ('cheese', '2024-01-04', NULL, 'EUR');
:remember
SELECT * FROM bulk_insert_changed('price_history', 'price', '{article}', 'valid_from');
SELECT * FROM price_history WHERE valid_from = '2024-01-04' ORDER BY article;
:untouched

-- A whole week of one article in one call, staged in any order: only the days on which it changed.
TRUNCATE price;
INSERT INTO price VALUES ('apple', '2024-01-09', 1.20, 'EUR'), ('apple', '2024-01-05', 1.20, 'EUR'), ('apple', '2024-01-07', 1.40, 'EUR'),
	('apple', '2024-01-06', 1.40, 'EUR'), ('apple', '2024-01-08', 1.20, 'EUR'), ('egg', '2024-01-06', 0.30, 'EUR'), ('egg', '2024-01-05', 0.30, 'EUR');
:remember
SELECT * FROM bulk_insert_changed('price_history', 'price', '{article}', 'valid_from');
SELECT * FROM price_history WHERE valid_from > '2024-01-04' ORDER BY article, valid_from;
:untouched
-- The same week again is no news for the newest price; but what is older is compared with the newest price too (not with its
-- neighbours in time), so the 1.40 of the 6th and 7th, which the 8th has overtaken, are two late rows.
SELECT * FROM bulk_insert_changed('price_history', 'price', '{article}', 'valid_from');

-- Nothing staged: nothing to do, and no error.
TRUNCATE price;
SELECT * FROM bulk_insert_changed('price_history', 'price', '{article}', 'valid_from');
-- The last argument's default is NULL.
INSERT INTO price VALUES ('egg', '2024-02-01', 0.30, 'USD');
SELECT * FROM bulk_insert_changed(target => 'price_history', staged => 'price', key_columns => '{article}', order_column => 'valid_from', compare_columns => NULL);
-- Only what is compared makes a row: the price is the same, whatever the currency.
UPDATE price SET valid_from = '2024-02-02', currency = 'CHF';
SELECT * FROM bulk_insert_changed('price_history', 'price', '{article}', 'valid_from', '{price}');
-- but an inserted row is staged whole
UPDATE price SET valid_from = '2024-02-03', price = 0.31;
SELECT * FROM bulk_insert_changed('price_history', 'price', '{article}', 'valid_from', '{price}');
SELECT * FROM price_history WHERE valid_from >= '2024-02-01' ORDER BY article, valid_from;

-- A NULL in the key is a key like any other; a composite key.
CREATE TABLE stock (shop int, article text, at int, pieces int);
CREATE TEMPORARY TABLE counted (shop int, article text, at int, pieces int);
INSERT INTO stock VALUES (1, 'a', 1, 10), (1, NULL, 1, 20), (NULL, NULL, 1, 30), (2, 'a', 1, 10);
INSERT INTO counted VALUES (1, 'a', 2, 10), (1, NULL, 2, 20), (NULL, NULL, 2, 30), (2, 'a', 2, 10),
	(NULL, 'a', 2, 10), (1, NULL, 3, 21), (NULL, NULL, 3, 31), (NULL, 'a', 3, 10);
SELECT * FROM bulk_insert_changed('stock', 'counted', '{shop,article}', 'at');
SELECT * FROM stock ORDER BY shop, article, at;
-- the order of the key's columns does not matter
SELECT * FROM bulk_insert_changed('stock', 'counted', '{article,shop}', 'at');
-- A key of fewer columns compares the others: shops differ, so every change of shop is one.
TRUNCATE stock;
SELECT * FROM bulk_insert_changed('stock', 'counted', '{article}', 'at', '{shop}');

-- In a transaction that is rolled back nothing stays, and within it a second call sees the first one's rows.
TRUNCATE stock;
BEGIN;
SELECT inserted FROM bulk_insert_changed('stock', 'counted', '{shop,article}', 'at');
SELECT inserted FROM bulk_insert_changed('stock', 'counted', '{shop,article}', 'at');
ROLLBACK;
SELECT count(*) FROM stock;
-- As a row, and in the FROM clause of a larger query.
SELECT bulk_insert_changed('stock', 'counted', '{shop,article}', 'at');
SELECT h.inserted + h.unchanged = h.staged_rows AS adds_up FROM (VALUES (1)) one, bulk_insert_changed('stock', 'counted', '{shop,article}', 'at') h;
-- No index is needed and none is made (1.1.4).
SELECT count(*) AS indexes FROM pg_index WHERE indrelid IN ('stock'::regclass, 'price_history'::regclass);

SET client_min_messages = warning;
DROP SCHEMA insert_changed CASCADE;
