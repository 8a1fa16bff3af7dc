\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.p DETACH PARTITION public.goes;
-- hazard data-loss: table public.goes is dropped with about 0 rows (16,384 bytes)
DROP TABLE public.goes;
ALTER TABLE public.p DETACH PARTITION public.p1;
ALTER TABLE public.p DETACH PARTITION public.p2;
CREATE TABLE public.comes PARTITION OF public.p (
    CONSTRAINT comes_k_not_null NOT NULL k
) FOR VALUES FROM (25) TO (30);
-- hazard long-scan: public.p1 (32,768 bytes) is read under lock, unless a check proves its bound
ALTER TABLE public.p ATTACH PARTITION public.p1 FOR VALUES FROM (0) TO (15);
-- hazard long-scan: public.p2 (32,768 bytes) is read under lock, unless a check proves its bound
ALTER TABLE public.p ATTACH PARTITION public.p2 FOR VALUES FROM (15) TO (25);
COMMIT;
