CREATE FUNCTION public.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at := now(); RETURN NEW; END';
CREATE TABLE public.t (id integer, at timestamptz);
CREATE TRIGGER stamped BEFORE UPDATE ON public.t FOR EACH ROW EXECUTE FUNCTION public.stamp();
COMMENT ON TRIGGER stamped ON public.t IS 'kept';
