CREATE TYPE public.point AS (x integer, y integer, z integer);
CREATE TABLE public.places (id integer, at public.point);
CREATE VIEW public.heights AS SELECT id, (at).z FROM public.places;
CREATE INDEX places_z ON public.places (((at).z));
