CREATE TYPE public.measure AS (label text, size numeric, unit text, taken timestamp);
CREATE TABLE public.samples (id integer PRIMARY KEY, measure public.measure);
INSERT INTO public.samples VALUES (1, ROW('abcdef', 1.75, 'cm', '2026-01-01'));
