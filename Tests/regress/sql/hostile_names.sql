-- Names are data: whatever a schema, a table or a column is called, the call does what it does for plain names.
-- Contract 1.0.3, 1.2.2, 1.3.3, 1.3.4; cases 133, 134
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS bulk_sync;
RESET client_min_messages;
CREATE SCHEMA hostile_names;
SET search_path = hostile_names, public;

-- A name is given to the target, to the staged table and to a column of both, and that column plays every part in turn.
-- The schema has a hostile name throughout. What comes of it is returned as text, which has to be that of a plain name.
CREATE SCHEMA "s. ""%1$I"" '\ $1";
CREATE TABLE part (part text, arguments text);
INSERT INTO part VALUES
  ('key',         $$key_columns => ARRAY[$1], columns => '{Value}', scope => format('%I > 0', $1)$$),
  ('compared',    $$scope => format('target.%I > 0 OR %1$I IS NULL', $1)$$),
  ('subset',      $$columns => ARRAY[$1], scope => 'true'$$),
  ('insert-only', $$insert_only_columns => ARRAY[$1], scope => 'true'$$),
  ('touch',       $$touch_columns => ARRAY[$1], scope => 'true'$$),
  ('fill',        $$fill_columns => ARRAY[$1], scope => 'true'$$),
  ('keep',        $$keep_columns => ARRAY[$1], scope => 'true'$$),
  ('condition',   $$update_where => format('staged.%I > target.%1$I', $1), scope => 'true'$$),
  ('order',       $$duplicates => 'last', order_column => $1, columns => '{Value}', scope => 'true'$$),
  ('groups',      $$scope_columns => ARRAY[$1]$$),
  ('supplied',    $$scope_values => jsonb_build_object($1, 1), columns => '{Value}'$$);

-- The tables live in a subtransaction that is undone: hundreds of them would not fit into the lock table.
CREATE FUNCTION outcome(name text, OUT part text, OUT counts text, OUT rows text) RETURNS SETOF record
LANGUAGE plpgsql AS $$
DECLARE
  target text := format('%I.%I', 's. "%1$I" ''\ $1', name);
  staged text := format('pg_temp.%I', name);
  part_of record;
  outcomes text[] := '{}';
BEGIN
  BEGIN
    EXECUTE format('CREATE TABLE %s ("Key" int PRIMARY KEY, dropped int, %I int DEFAULT 7, "Value" text)', target, name);
    EXECUTE format('ALTER TABLE %s DROP dropped', target);
    EXECUTE format('INSERT INTO %s VALUES (1, 1, ''a''), (2, 2, ''b''), (3, NULL, ''c''), (5, 3, ''e'')', target);
    EXECUTE format('CREATE TEMPORARY TABLE %I ("Value" text, %1$I int, "Key" int)', name);
    EXECUTE format('INSERT INTO %s VALUES (''a'', 1, 1), (''B'', 3, 2), (''c'', 4, 3), (''d'', 1, 4), (''f'', NULL, 6)', staged);
    FOR part_of IN SELECT * FROM hostile_names.part LOOP
      counts := NULL;
      rows := NULL;
      BEGIN
        IF part_of.part = 'key' THEN
          EXECUTE format('ALTER TABLE %s DROP "Key"', target);
          EXECUTE format('DELETE FROM %s WHERE %I IS NULL', target, name);
          EXECUTE format('DELETE FROM %s WHERE "Key" = 1 OR %I IS NULL', staged, name);
        ELSIF part_of.part = 'order' THEN
          EXECUTE format('INSERT INTO %s VALUES (''z'', 9, 1), (''y'', 8, 1)', staged);
        ELSIF part_of.part IN ('groups', 'supplied') THEN
          EXECUTE format('DELETE FROM %s WHERE "Key" IN (2, 3)', staged);
        END IF;
        EXECUTE format('SELECT r::pg_catalog.text FROM bulk_sync(%L, %L, %s) r', target, staged, part_of.arguments)
          INTO counts USING name;
        EXECUTE format('SELECT string_agg(r, '' '' ORDER BY r) FROM (SELECT ROW(x.*)::pg_catalog.text AS r FROM %s x) x', target)
          INTO rows;
        RAISE EXCEPTION SQLSTATE 'OK000';
      EXCEPTION WHEN SQLSTATE 'OK000' THEN
        NULL;
      WHEN OTHERS THEN
        rows := SQLSTATE || ' ' || SQLERRM;
      END;
      outcomes := outcomes || ARRAY[part_of.part, counts, rows];
    END LOOP;
    RAISE EXCEPTION SQLSTATE 'OK000';
  EXCEPTION WHEN SQLSTATE 'OK000' THEN
    NULL;
  END;
  FOR i IN 1 .. cardinality(outcomes) BY 3 LOOP
    part := outcomes[i];
    counts := outcomes[i + 1];
    rows := outcomes[i + 2];
    RETURN NEXT;
  END LOOP;
END $$;
SELECT * FROM outcome('plain');
CREATE TABLE plain AS SELECT * FROM outcome('plain');

CREATE FUNCTION differing(names text[]) RETURNS TABLE (name json, part text, counts text, rows text) LANGUAGE sql AS $$
  SELECT to_json(name), part, o.counts, o.rows FROM unnest(names) name, outcome(name) o LEFT JOIN plain p USING (part)
   WHERE (p.counts, p.rows) IS DISTINCT FROM (o.counts, o.rows) ORDER BY name COLLATE "C", part;
$$;
-- none of these differs: quotes, dots, spaces, backslashes, control characters, what looks like a placeholder, a comment
SELECT * FROM differing(ARRAY['Upper', 'with space', ' lead and trail ', ' ', '  ', 'quo"te', '"', '""quoted""', 'apos''trophe', '''',
  'dot.dot', '.', 'back\slash', '\', '$1', '$2', '$$', '$body$', '%', '%s', '%1$s', '%I', '%n%n', '{', '}', '{a,b}', ',', ':v',
  '-- comment', '/*', '*/', ';', '); DROP TABLE plain; --', '*', '?', '@', '1', '1e5', '=', '>', '()', '[1]', '::int',
  '........pg.dropped.5........', E'\n', E'line\nfeed', E'\r\n', E'\t', E'\x01', E'\x08']);
-- beyond ASCII, and as long as a name can be
SELECT * FROM differing(ARRAY['größe', '列', 'Ünï', 'é', '😀', U&'\00a0', U&'\200b', U&'\feff', repeat('x', 63), repeat('é', 31),
  repeat('"', 63), repeat('列', 21), repeat('😀', 15), repeat('%', 63)]);
-- reserved words and names of functions, types and variables
SELECT * FROM differing('{select,user,table,order,default,"null","NULL",true,all,any,group,current_user,limit,session_user,as,
  on,using,where,row,array,cast,case,both,do,not,in,is,int,integer,text,record,public,pg_catalog,now,value,values,oid,only,
  lateral,returning,merge,matched,count,name,action,merge_action}');
-- names that a statement might use for itself
SELECT * FROM differing('{target,staged,d,d_,s,t,s_,t_,src,tgt,source,dst,new,old,excluded,q,r,x,y,k,v,n,o,p,a,b,c,i,j,g,f,e,l,
  m,u,z,row_number,rn,ord,ordinality,position,pos,staged_row,target_row,new_row,old_row,result,delta,plan,changed,wholerow,
  ctid1,tid,junk,"?column?",column1,"*NEW*","*OLD*","*VALUES*","unnamed_join","unnamed_subquery"}');
-- the names of the arguments and results
SELECT * FROM differing('{scope,scope_values,scope_columns,key_columns,columns,actions,insert_only_columns,touch_columns,
  fill_columns,keep_columns,update_where,soft_delete_column,duplicates,order_column,ignore_conflicts,expected_rows,allow_empty,
  max_deletes,max_delete_fraction,lock_mode,dry_run,staged_rows,inserted,updated,unchanged,skipped,deleted,bulk_sync}');

-- All of it at once: columns named like the tables, compared with each other in the conditions.
CREATE TABLE target (target int PRIMARY KEY, staged int, old int, new int, excluded int);
CREATE TABLE staged (target int, staged int, old int, new int, excluded int);
INSERT INTO target VALUES (1, 1, 1, 1, 1), (2, 1, 1, 1, 1), (3, 1, 1, 1, 1);
INSERT INTO staged VALUES (1, 2, 1, 1, 1), (2, 1, 2, 1, 1), (4, 1, 1, 1, 1);
SELECT * FROM bulk_sync('target', 'staged', scope => 'target.target > 0 AND staged = 1 OR staged > target.target',
                        update_where => 'staged.staged > target.staged AND staged.target = target.target');
TABLE target ORDER BY target;

-- The mark, a generated column and an identity column by other names.
CREATE SEQUENCE "d %I";
CREATE TABLE "o""ther $1" ("%s" int GENERATED ALWAYS AS IDENTITY, "k'" text PRIMARY KEY, "old" boolean DEFAULT false,
                           "g.en" text GENERATED ALWAYS AS ("k'" || CASE WHEN "old" THEN 'y' ELSE 'n' END) STORED,
                           "target" text DEFAULT nextval('"d %I"') NOT NULL);
INSERT INTO "o""ther $1" ("k'") VALUES ('a'), ('b');
CREATE TABLE "sta""ged $1" ("k'" text, "%s" int, "target" text, "g.en" text);
INSERT INTO "sta""ged $1" VALUES ('b', NULL, NULL, 'x'), ('c', NULL, NULL, 'x'), ('d', 10, 'dd', 'x');
SELECT * FROM bulk_sync('"o""ther $1"', '"sta""ged $1"', '{k''}', scope => $$"k'" > ''$$, soft_delete_column => 'old');
TABLE "o""ther $1" ORDER BY "k'";

-- A name is exact: not folded, not quoted, not cut off at 63 bytes to another column's name.
\set VERBOSITY sqlstate
SELECT * FROM bulk_sync('target', 'staged', '{Target}', scope => 'true');
SELECT * FROM bulk_sync('target', 'staged', '{"\"target\""}', scope => 'true');
SELECT * FROM bulk_sync('target', 'staged', scope => 'true', columns => '{"old "}');
CREATE TABLE long (k int PRIMARY KEY, xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx int);
SELECT * FROM bulk_sync('long', 'target', '{k}', scope => 'true', columns => ARRAY[repeat('x', 64)]);
SELECT * FROM bulk_sync('long', 'target', '{k}', scope_values => jsonb_build_object(repeat('x', 64), 1));
\set VERBOSITY default

SET client_min_messages = warning;
DROP SCHEMA "s. ""%1$I"" '\ $1" CASCADE;
DROP SCHEMA hostile_names CASCADE;
