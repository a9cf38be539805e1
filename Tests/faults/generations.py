"""What must a scope hold? Each scope goes through generations whose rows are a function of its number.

From one generation to the next a fifth of the rows goes, another fifth comes, about a third of the others changes, some
values are stored out of line. A table that holds anything but a whole generation was torn.
"""

SCHEMA = """
create function content(int, int, int) returns table (scope int, k int, v text, big text)
    language sql stable begin atomic
    select $1, k, 'v' || k || '/' || ($2 + k) / 3,
           case when k % 50 = 0 then (select string_agg(md5(k || '/' || $2 / 2 || '/' || i), '') from generate_series(1, 100) as i) end
      from generate_series(1, $3) as k where (k + $2) % 5 <> 0;
end;
create table target (scope int, k int, v text, big text, touched int not null default 0,
    id bigint generated always as identity, primary key (scope, k));
alter table target alter big set storage external;
create index target_v on target (v);
create index target_id on target (scope, id);
create table note (scope int, k int, n bigint generated always as identity primary key,
    foreign key (scope, k) references target on delete cascade);
create index note_target on note (scope, k);
create table journal (writer int, n int, primary key (writer, n));
create unlogged table staged (like target);
alter table staged drop touched, drop id;
create index staged_scope on staged (scope);
"""

DIGEST = "coalesce(md5(string_agg(md5(r::text), '' order by r::text)), 'empty')"


def create(connection):
    connection.query(SCHEMA)


def digest_of_target(connection, scope, table='target'):
    return connection.value('select %s from (select scope, k, v, big from %s where scope = %d) as r' % (DIGEST, table, scope))


def digest_of_generation(connection, scope, generation, size):
    if generation == 0:
        return 'empty'                                           # before the first sync
    return connection.value('select %s from (select * from content(%d, %d, %d)) as r' % (DIGEST, scope, generation, size))


def generation_held(connection, scope, possible, size, table='target'):
    """Which of the possible generations the scope holds. Any other content is a torn sync, or a lost one."""
    held = digest_of_target(connection, scope, table)
    for generation in possible:
        if digest_of_generation(connection, scope, generation, size) == held:
            return generation
    rows = connection.value('select count(*) from %s where scope = %d' % (table, scope))
    raise AssertionError('scope %d holds none of the generations %s, but %s other rows' % (scope, sorted(possible), rows))


def check_references(connection):
    orphans = connection.value('select count(*) from note where not exists'
                               ' (select from target where target.scope = note.scope and target.k = note.k)')
    assert orphans == '0', '%s notes without their row' % orphans
