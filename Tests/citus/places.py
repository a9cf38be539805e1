"""Which shards does a call go to, and how often?"""
import re

from changes import UPSERT, WHOLE, call
from pair import KINDS, outcome

HASHED = ('hash', 'partitioned')
TABLES = ('create table target (company int, name text, pay numeric, primary key (company, name))',
          "insert into target select c, 'n' || i, i from generate_series(1, 30) as c, generate_series(1, 10) as i",
          'create temporary table staged (company int, name text, pay numeric)',
          "insert into staged select 3, 'n' || i, i * (1 + i % 2) from generate_series(3, 12) as i")


def said(connection, sql):
    """What Citus sends to nodes, and does on this one, for a statement."""
    connection.query('set citus.log_remote_commands to on; set citus.log_local_commands to on; set client_min_messages to notice')
    del connection.notices[:]
    answer = outcome(connection, sql)
    notices = connection.notices[:]
    connection.query('set citus.log_remote_commands to off; set citus.log_local_commands to off; set client_min_messages to warning')
    return answer, notices


def shards_of(pair):
    """{shard: the first value of its hash} of the target and its partitions."""
    return {row[0]: row[1] for row in pair.far.query("select shardid, shardminvalue from pg_dist_shard where logicalrelid::text ~ 'target'")}


def one_shard(test):
    """A scope that fixes the distribution column: no other shard is asked, and none of them is written."""
    for options, expected in ((("scope => 'company = 3'",), (10, 2, 4, 4, 0, 2)), (("scope => 'target.company = 3 and pay < 99'",), (10, 2, 4, 4, 0, 2)),
                              (('scope_values => \'{"company": 3}\'',), (10, 2, 4, 4, 0, 2)), (("scope => 'company = 3'", UPSERT), (10, 2, 4, 4, 0, 0)),
                              (("scope => 'company = 3'", 'dry_run => true'), (10, 2, 4, 4, 0, 2)),
                              (("scope => 'company = 3'", "soft_delete_column => 'gone'"), (10, 2, 4, 4, 0, 2))):
        pair = test.pair(*TABLES, column='company')
        if 'gone' in options[-1]:
            pair.both('alter table target add gone boolean')
        shards = shards_of(pair)
        pair.near.query(call(*options, key='{company,name}'))
        answer, notices = said(pair.far, call(*options, key='{company,name}'))
        assert answer == [tuple(map(str, expected))], '%s: %s' % (options, answer)
        pair.same_rows(options)
        asked = {shards[number] for notice in notices for number in re.findall(r'_(\d{6,})\b', notice) if number in shards}
        assert len(asked) == 1, '%s: %d shards are asked:\n%s' % (options, len(asked), '\n'.join(
            n for n in notices if any('_' + s in n for s in shards))[:2000])
        pair.close()


def one_shard_beside(test):
    """The same where the staged rows are distributed, too."""
    pair = test.pair(TABLES[0], TABLES[1], TABLES[2].replace('temporary ', ''), TABLES[3], column='company', distributed=('target', 'staged'))
    shards = shards_of(pair)
    sql = call("scope => 'company = 3'", key='{company,name}')
    pair.near.query(sql)
    answer, notices = said(pair.far, sql)
    assert answer == [('10', '2', '4', '4', '0', '2')], answer
    pair.same_rows(sql)
    asked = {shards[number] for notice in notices for number in re.findall(r'_(\d{6,})\b', notice) if number in shards}
    assert len(asked) == 1, '%d shards are asked' % len(asked)


def one_shard_compared(test):
    pair = test.pair(*TABLES, column='company')
    shards = shards_of(pair)
    answer, notices = said(pair.far, "select count(*) from bulk_compare('target', 'staged', '{company,name}', scope => 'company = 3')")
    assert answer == [('8',)], answer
    asked = {shards[number] for notice in notices for number in re.findall(r'_(\d{6,})\b', notice) if number in shards}
    assert len(asked) == 1, '%d shards are asked' % len(asked)


def round_trips(test):
    """Their number does not grow with the rows."""
    numbers = []
    for rows in (100, 3000):
        pair = test.pair('create table target (k int primary key, v text)', "insert into target select k, 'v' from generate_series(1, %d) as k" % rows,
                         'create temporary table staged (k int, v text)',
                         "insert into staged select k, case when k %% 2 = 0 then 'v' else 'w' end from generate_series(%d, %d) as k" % (rows / 2, rows * 3 / 2))
        answer, notices = said(pair.far, call(WHOLE))
        assert not isinstance(answer, str), answer
        numbers.append(len(notices))
        pair.near.query(call(WHOLE))
        pair.same_rows('a call')
        pair.close()
    # a connection that happens to be a new one says more
    assert numbers[1] <= numbers[0] * 1.2 + 2 * len(pair.cluster.nodes), '%d commands for 100 rows, %d for 3000' % tuple(numbers)
    return '%d commands to the nodes for 100 rows, %d for 3000' % tuple(numbers)


def hidden_cost(test):
    """Nothing to do: nothing is written on any node, whatever was needed to find that out."""
    pair = test.pair('create table target (k int primary key, v text)', "insert into target select k, 'v' from generate_series(1, 500) as k",
                     'create temporary table staged (k int, v text)', "insert into staged select k, 'v' from generate_series(1, 500) as k")
    before = pair.places()
    pair.same(call(WHOLE), (500, 0, 0, 500, 0, 0))
    assert pair.places() == before


TESTS = [
    ('a scope on the distribution column asks one shard', one_shard, HASHED),
    ('such a scope, staged beside the target', one_shard_beside, HASHED),
    ('bulk_compare with such a scope asks one shard', one_shard_compared, HASHED),
    ('the number of commands does not grow with the rows', round_trips, KINDS),
    ('equal rows are written nowhere', hidden_cost, KINDS),
]
