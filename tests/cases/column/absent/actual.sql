CREATE TABLE public.t (id int, gone text, stays text NOT NULL DEFAULT 'x');
COMMENT ON COLUMN public.t.gone IS 'on its way out';
