CREATE TABLE public.t (a int, b int GENERATED ALWAYS AS (a + 1) STORED, c int GENERATED ALWAYS AS (a) STORED, d int);
CREATE VIEW public.v AS SELECT b, c FROM public.t;
COMMENT ON COLUMN public.t.b IS 'one more';
