CREATE TABLE public.t (a int, b text);
CREATE INDEX t_a ON public.t (a);
COMMENT ON INDEX public.t_a IS 'by a';
