-- What Basalt adds to PostgreSQL's catalogs. The schema "basalt" is another name for
-- relations of pg_catalog that begin so: basalt.nodes is pg_catalog.basalt_nodes
-- (listings of schemas stay PostgreSQL's).

CREATE VIEW pg_catalog.basalt_nodes AS
SELECT n.node, n.role, n.rpc_addr, n.sql_addr, n.flight_addr, n.version, n.alive, n.last_heartbeat, n.started FROM basalt_nodes() n;

CREATE VIEW pg_catalog.basalt_tablets AS
SELECT t.tablet, t.node, t.first_slot, t.end_slot, t.bytes FROM basalt_tablets() t;

CREATE VIEW pg_catalog.basalt_fragments AS
SELECT f.node, f.statements, f.fragments, f.memory FROM basalt_fragments() f;

CREATE VIEW pg_catalog.basalt_merges AS
SELECT m.tablet, m.datid, d.datname, m.relfilenode, CASE WHEN d.datname = current_database() THEN c.oid::regclass END AS relation,
  m.segments, m.loose_segments, m.segment_rows, m.segment_bytes, m.delta_rows, m.dead_rows, m.phase, m.rows_done, m.surveyed
FROM basalt_merges() m LEFT JOIN pg_database d ON d.oid = m.datid
  LEFT JOIN pg_class c ON c.relfilenode = m.relfilenode AND d.datname = current_database() AND c.relkind IN ('r', 'm');
