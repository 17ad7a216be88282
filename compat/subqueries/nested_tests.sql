-- Sub-selects on both sides of IN, NULL constants before NOT IN, sub-selects in
-- FULL JOIN conditions, in ON CONFLICT and in the arguments of aggregates.
CREATE TABLE na (x int, y text);
INSERT INTO na VALUES (1, 'a'), (2, 'b'), (NULL, 'c');
SELECT * FROM na WHERE NULL NOT IN (SELECT x FROM na) ORDER BY x;
SELECT * FROM na WHERE NOT (NULL::int IN (SELECT x FROM na WHERE x = 1)) ORDER BY x;
SELECT * FROM na WHERE NULL NOT IN (SELECT x FROM na WHERE false) ORDER BY x;
SELECT x, (SELECT 1) IN (SELECT x FROM na) AS a, (SELECT 3) IN (SELECT x FROM na) AS b FROM na ORDER BY x;
SELECT x, (SELECT 3) NOT IN (SELECT x FROM na WHERE x IS NOT NULL) AS a FROM na ORDER BY x;
SELECT x, ((SELECT 1), 'a') IN (SELECT x, y FROM na) AS a FROM na ORDER BY x;
SELECT x, (SELECT max(x) FROM na) >= ALL (SELECT x FROM na WHERE x IS NOT NULL) AS a FROM na ORDER BY x;
SELECT x FROM na WHERE ((SELECT 1), 2) = (SELECT 1, 2) ORDER BY x;
SELECT x FROM na WHERE ((SELECT max(b.x) FROM na b WHERE b.x <= na.x), y) = (SELECT 2, 'b') ORDER BY x;
SELECT x FROM na WHERE (SELECT x, y FROM na) = (1, 'a');
SELECT x FROM na WHERE (SELECT 1) IN (SELECT x, y FROM na);
SELECT na.x, v.y FROM na FULL JOIN (VALUES (1), (3)) v(y) ON na.x = v.y AND v.y IN (SELECT x FROM na) ORDER BY 1, 2;
SELECT na.x, v.y FROM na FULL JOIN (VALUES (1), (2), (3)) v(y) ON na.x = v.y AND na.x IN (SELECT b.x FROM na b WHERE b.y <> na.y OR b.x = 1) ORDER BY 1, 2;
SELECT na.x, v.y FROM na FULL JOIN (VALUES (1), (2), (3)) v(y) ON na.x = v.y AND EXISTS (SELECT FROM na b WHERE b.x > v.y) ORDER BY 1, 2;
CREATE TABLE nc (k int PRIMARY KEY, v int);
INSERT INTO nc VALUES (1, 10), (2, 20);
INSERT INTO nc VALUES (1, 0), (3, 30) ON CONFLICT (k) DO UPDATE SET v = nc.v + 1 WHERE 2 IN (SELECT x FROM na) RETURNING *;
INSERT INTO nc VALUES (2, 0) ON CONFLICT (k) DO UPDATE SET v = nc.v + 1 WHERE nc.k NOT IN (SELECT x FROM na) RETURNING *;
INSERT INTO nc VALUES (2, 0) ON CONFLICT (k) DO UPDATE SET v = nc.v + 1 WHERE nc.v >= ALL (SELECT k FROM nc) RETURNING *;
SELECT y, count(*) FILTER (WHERE x NOT IN (SELECT b.k FROM nc b WHERE na.y > 'a' AND b.k > 1)) AS n FROM na GROUP BY CUBE (y, x) ORDER BY 1, 2;
SELECT x, bool_and(EXISTS (SELECT FROM nc WHERE nc.k = na.x)) AS f FROM na GROUP BY GROUPING SETS ((x), (y), ()) ORDER BY 1, 2;
SELECT x, max((SELECT v FROM nc WHERE k = na.x)) AS m FROM na GROUP BY ROLLUP (x) HAVING max((SELECT v FROM nc WHERE k = na.x)) > 0 ORDER BY 1, 2;
SELECT y, (SELECT max((SELECT v FROM nc WHERE k = na.x)) FROM nc c WHERE c.k = 1) AS m FROM na GROUP BY y ORDER BY 1;
WITH w AS (SELECT 2 AS c) SELECT y, (SELECT bool_and(na.x IN (SELECT c FROM w)) FROM w) AS m FROM na GROUP BY y ORDER BY 1;
SELECT y FROM na GROUP BY y HAVING (SELECT count(*) FROM nc WHERE k < max(na.x)) = 1;
