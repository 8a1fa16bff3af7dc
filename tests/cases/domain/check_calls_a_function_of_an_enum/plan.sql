\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TYPE codes.color AS ENUM ('red', 'orange', 'blue');
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE FUNCTION codes.is_warm(c codes.color)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
AS $function$SELECT c <> 'blue'::codes.color$function$;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE DOMAIN codes.warm AS codes.color CONSTRAINT is_warm CHECK (codes.is_warm(VALUE));
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TYPE codes.swatch AS (
    name text,
    tone codes.warm
);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TABLE codes.paints (
    id integer NOT NULL,
    swatch codes.swatch
);
ALTER TABLE codes.paints ADD CONSTRAINT paints_pkey PRIMARY KEY (id);
COMMIT;
