-- What Basalt adds to PostgreSQL's catalogs. The schema "basalt" is another name for
-- relations of pg_catalog that begin so: basalt.nodes is pg_catalog.basalt_nodes
-- (listings of schemas stay PostgreSQL's).

CREATE VIEW pg_catalog.basalt_nodes AS
SELECT n.node, n.role, n.rpc_addr, n.sql_addr, n.flight_addr, n.version, n.alive, n.last_heartbeat, n.started FROM basalt_nodes() n;

CREATE VIEW pg_catalog.basalt_tablets AS
SELECT t.tablet, t.node, t.first_slot, t.end_slot, t.bytes FROM basalt_tablets() t;

CREATE VIEW pg_catalog.basalt_fragments AS
SELECT f.node, f.statements, f.fragments, f.memory FROM basalt_fragments() f;
