\set ON_ERROR_STOP on
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
BEGIN;
CREATE EXTENSION vector SCHEMA extensions;
COMMIT;

SET lock_timeout = '2s';
BEGIN;
CREATE TABLE public.items (
    id integer,
    embedding extensions.vector(3)
);
COMMIT;
