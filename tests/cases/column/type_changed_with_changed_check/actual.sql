CREATE TABLE public.readings (id int PRIMARY KEY, value integer CONSTRAINT sensible CHECK (value <> 0), other int);
COMMENT ON CONSTRAINT sensible ON public.readings IS 'no zeros';
