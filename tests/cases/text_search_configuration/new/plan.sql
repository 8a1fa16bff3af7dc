\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TEXT SEARCH CONFIGURATION public.product (PARSER = "default");
ALTER TEXT SEARCH CONFIGURATION public.product ADD MAPPING FOR "int" WITH simple;
ALTER TEXT SEARCH CONFIGURATION public.product ADD MAPPING FOR word WITH public.plain;
ALTER TEXT SEARCH CONFIGURATION public.product ADD MAPPING FOR asciiword WITH public.plain, english_stem;
COMMENT ON TEXT SEARCH CONFIGURATION public.product IS 'names of products';
COMMIT;
