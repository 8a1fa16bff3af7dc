CREATE FUNCTION public.scaled(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';
CREATE TABLE public.t (
    id integer PRIMARY KEY,
    a integer DEFAULT public.scaled(21),
    b bigint GENERATED ALWAYS AS (public.scaled(id)) STORED,
    CONSTRAINT big CHECK (public.scaled(a) > 2)
);
CREATE INDEX t_scaled ON public.t (public.scaled(a));
ALTER TABLE public.t ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON public.t USING (public.scaled(id) > 0);
CREATE VIEW public.v AS SELECT id, public.scaled(a) AS twice FROM public.t;
COMMENT ON VIEW public.v IS 'kept';
GRANT SELECT ON public.v TO pg_monitor;
INSERT INTO public.t (id, a) VALUES (1, 5), (2, 7);
