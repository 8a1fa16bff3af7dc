\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE TABLE public.made_2026 PARTITION OF public.made FOR VALUES IN (2026);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard long-scan: public.sold_rest (8,192 bytes), the default partition, is read under lock for rows of public.sold_2026, unless a check proves that it has none
CREATE TABLE public.sold_2026 PARTITION OF public.sold FOR VALUES IN (2026);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard long-scan: public.sold_rest (8,192 bytes), the default partition, is read under lock for rows of public.sold_2027, unless a check proves that it has none
ALTER TABLE public.sold ATTACH PARTITION public.sold_2027 FOR VALUES IN (2027);
COMMIT;
