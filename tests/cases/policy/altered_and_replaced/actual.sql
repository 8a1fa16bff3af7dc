CREATE TABLE public.t (owner name, n int);
CREATE POLICY a ON public.t FOR SELECT USING (owner = current_user);
CREATE POLICY b ON public.t FOR SELECT USING (n > 0);
COMMENT ON POLICY b ON public.t IS 'only positive ones';
