from networks.gated import Stacked
from networks.layers import Layer

class Net(Stacked):
    """ The same, gated """
    def __init__(self,inputsize,taskcla):
        super(Net,self).__init__([Layer('fc1',20,0.),Layer('fc2',20,0.)],inputsize,taskcla)

    def forward(self,t,x,s=1):
        masks=self.mask(t,s)
        h=self.run(0,x,gate=masks[0])
        return self.outputs(h+self.run(1,h,gate=masks[1])),masks
