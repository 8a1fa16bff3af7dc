CREATE TABLE public.old (id int PRIMARY KEY, n int CHECK (n > 0));
CREATE INDEX old_n ON public.old (n);
ALTER TABLE public.old ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON public.old USING (n > 1);
COMMENT ON COLUMN public.old.n IS 'a number';
CREATE VIEW public.old_view AS SELECT n FROM public.old;
