CREATE TABLE public.a (
    m integer, s int4range, id serial PRIMARY KEY, n integer CHECK (n > 0),
    CONSTRAINT apart EXCLUDE USING gist (s WITH &&) WHERE (n > 1)
);
CREATE INDEX on_expression ON public.a ((n + 1));
CREATE INDEX in_predicate ON public.a (m) WHERE n > 2;
CREATE INDEX stays ON public.a (m);
CREATE STATISTICS public.both ON m, n FROM public.a;
CREATE TABLE public.b (id serial, a_id integer REFERENCES public.a (id));
