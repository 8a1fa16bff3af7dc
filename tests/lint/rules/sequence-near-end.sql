CREATE TABLE t (id serial PRIMARY KEY);
SELECT setval('t_id_seq', 1500000000);
-- passing
CREATE TABLE t (id serial PRIMARY KEY, n bigserial);
SELECT setval('t_id_seq', 1000000000), setval('t_n_seq', 1500000000);
